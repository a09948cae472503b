"""The local stack: PostgreSQL, Airflow, the receiver and the sandbox, started, watched and stopped together."""
