# One image for every service of docker-compose.yml: the programs are the same, the commands differ.
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1 \
    AIRFLOW_HOME=/opt/nurture/airflow \
    PATH=/opt/nurture/.venv/bin:$PATH

RUN useradd --create-home --uid 50000 nurture && install -d -o nurture \
       /opt/nurture /opt/nurture/airflow /opt/nurture/airflow/logs /opt/nurture/inbox
USER nurture
WORKDIR /opt/nurture

# The locked programs first: a change of the code rebuilds only what comes after.
COPY --chown=nurture requirements.lock pyproject.toml README.md ./
RUN python -m venv .venv && .venv/bin/python -m pip install --no-cache-dir uv==0.13.9 \
    && .venv/bin/uv pip sync --python .venv/bin/python --require-hashes requirements.lock

COPY --chown=nurture include include
COPY --chown=nurture sql sql
COPY --chown=nurture dags dags
COPY --chown=nurture plugins plugins
RUN .venv/bin/uv pip install --python .venv/bin/python --no-deps --editable .
