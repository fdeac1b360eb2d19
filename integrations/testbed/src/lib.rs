//! Real servers for the integration tests: PostgreSQL, Redis, RabbitMQ and NATS, each on a port and in a folder of its own.
