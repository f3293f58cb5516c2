FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    THROUGHLINE_KEY_FILE=/var/lib/throughline/keys

RUN useradd --system --uid 10001 --home-dir /var/lib/throughline --create-home throughline
WORKDIR /opt/throughline

# The dependencies first: they change seldom, and this layer is then kept.
COPY requirements.lock ./
RUN pip install --requirement requirements.lock

COPY pyproject.toml README.md ./
COPY app ./app
COPY fhir_mappings ./fhir_mappings
COPY schemas ./schemas
RUN pip install --no-deps .

USER throughline
VOLUME /var/lib/throughline
EXPOSE 8000 2575
ENTRYPOINT ["throughline"]
CMD ["serve", "--host", "0.0.0.0"]
