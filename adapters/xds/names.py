"""The names of XDS on the wire: namespaces, schemes, slots, statuses, actions.

Implements ITI TF-3 4.2.5 (namespaces and vocabularies) and the tables of 4.2.3.2 to 4.2.3.4.
Used by `decode.py`, `encode.py` and the transactions; nothing else knows these strings.
"""

from __future__ import annotations

from typing import Final

RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
QUERY: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
XDSB: Final = "urn:ihe:iti:xds-b:2007"
RMD: Final = "urn:ihe:iti:rmd:2017"

STATUS: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
SUCCESS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
PARTIAL_SUCCESS: Final = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
ERROR: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
WARNING: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"
OBJECT_TYPE: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"

REFERENCE_ID_LIST: Final = "urn:ihe:iti:xds:2013:referenceIdList"

DOCUMENT_AUTHOR: Final = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
CLASS_CODE: Final = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
CONFIDENTIALITY_CODE: Final = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
EVENT_CODE: Final = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
FORMAT_CODE: Final = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
FACILITY_CODE: Final = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
PRACTICE_CODE: Final = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
TYPE_CODE: Final = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
DOCUMENT_PATIENT_ID: Final = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
DOCUMENT_UNIQUE_ID: Final = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"

SUBMISSION_SET: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
SUBMISSION_AUTHOR: Final = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
CONTENT_TYPE_CODE: Final = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
SUBMISSION_PATIENT_ID: Final = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SUBMISSION_UNIQUE_ID: Final = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
SOURCE_ID: Final = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"

FOLDER: Final = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
FOLDER_CODE: Final = "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5"
FOLDER_PATIENT_ID: Final = "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a"
FOLDER_UNIQUE_ID: Final = "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a"

ASSOCIATION_DOCUMENTATION: Final = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"

LIMITED_METADATA: Final = frozenset(
    {
        "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
        "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
        "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
    }
)

ITI_18: Final = "urn:ihe:iti:2007:RegistryStoredQuery"
ITI_41: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
ITI_42: Final = "urn:ihe:iti:2007:RegisterDocumentSet-b"
ITI_51: Final = "urn:ihe:iti:2009:MultiPatientStoredQuery"
ITI_43: Final = "urn:ihe:iti:2007:RetrieveDocumentSet"
ITI_57: Final = "urn:ihe:iti:2010:UpdateDocumentSet"
ITI_92: Final = "urn:ihe:iti:2018:RestrictedUpdateDocumentSet"
UPDATE_AVAILABILITY_STATUS: Final = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
SUBMIT_ASSOCIATION: Final = "urn:ihe:iti:2010:AssociationType:SubmitAssociation"
ITI_61: Final = "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry"
ITI_61_RESPONSE: Final = "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse"
"""Without `Entry`, unlike the request."""
ITI_62: Final = "urn:ihe:iti:2010:DeleteDocumentSet"
ITI_86: Final = "urn:ihe:iti:2017:RemoveDocuments"
ITI_38: Final = "urn:ihe:iti:2007:CrossGatewayQuery"
ITI_39: Final = "urn:ihe:iti:2007:CrossGatewayRetrieve"
RAD_75: Final = "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSet"
RAD_69: Final = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
