"""The PostgreSQL and Valkey that `make demo` and the tests start when no others are configured."""
