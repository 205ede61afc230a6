"""The portal's API, version 1, below /api/v1/: what every route of it has in common.

Routes are in `<app>/api/`, and `assembly` puts them together; they call the operations and queries that pages call.
"""
