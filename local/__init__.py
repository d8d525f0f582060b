"""The service on one machine: embedded PostgreSQL and Redis, no Docker. Imports anything; nothing imports it."""
