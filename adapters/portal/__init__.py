"""The JSON API of viewer-app (design A10 `/api/v1`): session, studies, timeline, administration.

Mounted by `server.http` from `endpoint.build_router`; described by OpenAPI in schemas/openapi.
"""
