# One image that runs an agent (as it stands) or a controller (`… controller run …`).
#
#   docker build --tag millwright .
#   docker build --build-arg BASE_IMAGE=registry.example/python:3.12-slim --tag millwright .
#
# BASE_IMAGE is any image with Python 3.11 or newer and its venv module. Where build/wheels is there (`make wheels`),
# the packages come from it alone and no index is asked. There is no HEALTHCHECK here: an agent says how it is over
# MQTT, and the controller's, which serves HTTP, stands in compose.yaml.

ARG BASE_IMAGE=python:3.12-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /src
# pip stays in an environment of its own, so that what is copied on holds nothing that installs.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/millwright
COPY . .
RUN if [ -d build/wheels ]; then export PIP_NO_INDEX=1 PIP_FIND_LINKS=/src/build/wheels; fi; \
    /opt/pip/bin/python -m pip --python /opt/millwright/bin/python --no-input --disable-pip-version-check \
        install --no-cache-dir --constraint constraints.txt --compile '.[agent,controller,ops]'

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="Millwright" \
      org.opencontainers.image.description="Edge agent over MQTT, and the controller of its fleet" \
      org.opencontainers.image.documentation="docs/operations.md"
# A number, so that a host can give it folders and a group: `--group-add` of the Docker socket's lets an agent use it.
RUN mkdir -p /var/lib/millwright /etc/millwright && chown 10001:10001 /var/lib/millwright
COPY --from=build /opt/millwright /opt/millwright
ENV PATH=/opt/millwright/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/millwright
VOLUME /var/lib/millwright
STOPSIGNAL SIGTERM
ENTRYPOINT ["millwright"]
CMD ["agent", "run", "--config", "/etc/millwright/agent.toml"]
