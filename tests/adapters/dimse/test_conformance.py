"""The DICOM Conformance Statement against what is negotiated: all that it says, and nothing more.

PS3.2 N.4, PS3.8 7.1.1.14, PS3.7 D.3.3.4; the tables are read out of the statement's own text.
"""

import re

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import AllTransferSyntaxes

from adapters.dimse.contexts import Operation, negotiate
from adapters.dimse.decode import (
    APPLICATION_CONTEXT,
    AssociateRequest,
    ProposedContext,
    UserInformation,
    associate_accept,
)
from adapters.dimse.encode import associate_request
from adapters.dimse.limits import Limits
from server.conformance import statement
from tests.support.dimse import EXPLICIT, IMPLICIT, raw_peer

pytestmark = pytest.mark.tender("R-2.i", "R-3.1")

TEXT = statement()
STORAGE_ARC = "1.2.840.10008.5.1.4.1.1."
PRIVATE_CLASS, PRIVATE_SYNTAX = "1.3.12.2.1107.5.9.1", "1.2.276.0.7230010.3.3"
ROLES = ((True, False), (True, True), (False, True), (False, False))


def table(heading):
    """Return the rows of the first table below a heading."""
    part = TEXT.split(f"\n{heading}\n", 1)[1]
    rows = re.search(r"(?:^\|.*\n?)+", part, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


BY_NAME = {UID_dictionary[uid][0].split(":")[0]: uid for uid in AllTransferSyntaxes}
SERVICES = {row[1]: (row[2], row[3]) for row in table("### 3.1 Accepted, all services but storage")}
STORED = [row[1] for row in table("### 3.2 Accepted for storage")]
SYNTAXES = [row[1] for row in table("### 3.3 Transfer syntaxes for storage")]


def answers(proposed, *, roles=(), limits=None):
    """Return what (abstract syntax, transfer syntaxes) are answered with, and the roles."""
    contexts = tuple(ProposedContext(n, *one) for n, one in enumerate(proposed))
    request = AssociateRequest(
        1, "PIANKU", "CT1", APPLICATION_CONTEXT, contexts, UserInformation(roles=roles)
    )
    agreed = negotiate(request, limits or Limits())
    return agreed, [(one.result, one.transfer_syntax) for one in agreed.results]


def other_syntaxes(named):
    known = {uid for uid, told in UID_dictionary.items() if told[1] == "Transfer Syntax"}
    return sorted((known | {PRIVATE_SYNTAX, "1.2.840.10008.1.2.4"}) - set(named))


@pytest.mark.parametrize("uid", SERVICES)
def test_a_service_is_accepted_as_the_table_says_and_in_nothing_else(uid):
    service, told = SERVICES[uid]
    named = [BY_NAME[name.strip()] for name in told.split(",")]
    assert set(named) == {EXPLICIT, IMPLICIT}
    agreed, given = answers([(uid, (syntax,)) for syntax in named])
    assert given == [(0, syntax) for syntax in named]
    assert {one.service for one in agreed.contexts.values()} == {Operation(service)}
    _, given = answers([(uid, (IMPLICIT, EXPLICIT))])
    assert given == [(0, EXPLICIT)]
    _, given = answers([(uid, (syntax,)) for syntax in other_syntaxes(named)])
    assert {result for result, _ in given} == {4}


def test_each_class_is_stored_in_each_syntax_and_in_no_other():
    every = [(uid, (syntax,)) for uid in STORED for syntax in SYNTAXES]
    assert len(every) > 8000
    agreed, given = answers(every)
    assert given == [(0, syntax) for _, (syntax,) in every]
    assert {one.service for one in agreed.contexts.values()} == {Operation.STORE}
    others = [(uid, (syntax,)) for uid in STORED for syntax in other_syntaxes(SYNTAXES)]
    _, given = answers(others)
    assert {result for result, _ in given} == {4}
    private = Limits(transfer_syntaxes=(PRIVATE_SYNTAX,))
    _, given = answers([(STORED[0], (PRIVATE_SYNTAX,))], limits=private)
    assert given == [(0, PRIVATE_SYNTAX)]


def test_the_peers_first_choice_is_taken_but_explicit_before_implicit():
    uid, named = STORED[0], [one for one in SYNTAXES if one not in {EXPLICIT, IMPLICIT}]
    _, given = answers(
        [
            (uid, (named[3], named[1])),
            (uid, (named[1], IMPLICIT, EXPLICIT)),
            (uid, (IMPLICIT, named[1], EXPLICIT)),
            (uid, (PRIVATE_SYNTAX, named[2])),
        ]
    )
    assert [syntax for _, syntax in given] == [named[3], named[1], EXPLICIT, named[2]]
    assert {result for result, _ in given} == {0}


def test_of_the_standards_sop_classes_no_others_are_accepted():
    known = {uid for uid, told in UID_dictionary.items() if "SOP Class" in told[1]}
    others = sorted(known - set(STORED) - SERVICES.keys())
    _, given = answers([(uid, (EXPLICIT,)) for uid in others])
    accepted = {uid for uid, (result, _) in zip(others, given, strict=True) if result == 0}
    below = {uid for uid in others if uid.startswith(STORAGE_ARC)}
    assert accepted == {uid for uid in below if not re.match(r"20[01]\.", uid[len(STORAGE_ARC) :])}
    assert {result for uid, (result, _) in zip(others, given, strict=True) if result} == {3}
    for is_taken in (True, False):
        limits = Limits(private_sop_classes=is_taken)
        _, [(result, _)] = answers([(PRIVATE_CLASS, (EXPLICIT,))], limits=limits)
        assert result == (0 if is_taken else 3)


@pytest.mark.parametrize("role", ROLES)
def test_roles_are_answered_for_storage_only(role):
    proposed = [(STORED[0], (EXPLICIT,)), *((uid, (EXPLICIT,)) for uid in SERVICES)]
    roles = tuple((uid, *role) for uid, _ in proposed)
    agreed, given = answers(proposed, roles=roles)
    assert given[0][0] == (0 if any(role) else 1)
    assert {result for result, _ in given[1:]} == {0}
    assert agreed.roles == (((STORED[0], *role),) if any(role) else ())
    assert all(
        one.peer_is_scu and not one.peer_is_scp for one in list(agreed.contexts.values())[1:]
    )


def test_a_receiver_answers_all_of_it_over_a_socket(receive):
    """128 contexts an association: every service, then every class, each in another syntax."""
    port = receive(limits=Limits()).port
    every = [(uid, (EXPLICIT,)) for uid in SERVICES]
    every += [(uid, (SYNTAXES[n % len(SYNTAXES)],)) for n, uid in enumerate(STORED)]
    for start in range(0, len(every), 128):
        part = every[start : start + 128]
        contexts = [ProposedContext(2 * n + 1, *one) for n, one in enumerate(part)]
        user = UserInformation(16384, "1.2.3", "RAW")
        with raw_peer(port) as peer:
            peer.send(associate_request("PIANKU", "CT1", contexts, user))
            accept = associate_accept(peer.pdu()[6:])
        assert [(one.id, one.result, one.transfer_syntax) for one in accept.contexts] == [
            (one.id, 0, one.transfer_syntaxes[0]) for one in contexts
        ]


def test_every_class_has_a_name_and_every_status_a_meaning():
    assert [row for row in table("### 3.2 Accepted for storage") if row[0] == row[1]] == []
    statuses = TEXT.split("### 4.2 Status codes")[1].split("### 4.3")[0]
    rows = re.findall(r"^\| (\w{4}H) \| (.*) \|$", statuses, re.MULTILINE)
    assert len(rows) > 70
    assert [row for row in rows if not row[1].strip()] == []
