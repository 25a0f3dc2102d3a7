"""The HTTP API: Starlette routes over the services. Nothing is decided here."""
