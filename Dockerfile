ARG PYTHON_IMAGE=python:3.14.8-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY locks/build.lock locks/image.lock locks/
# Every byte that is installed is named by its hash, the build tool's too. The environment gets no pip of its own.
RUN pip install --require-hashes -r locks/build.lock \
 && python -m venv --without-pip /opt/customfit \
 && pip --python /opt/customfit/bin/python install --require-hashes -r locks/image.lock
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && pip --python /opt/customfit/bin/python install --no-deps /dist/*.whl

FROM ${PYTHON_IMAGE}
# What a release says of itself (deploy/image/build); an image built by hand is "unknown".
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
ARG BASE_NAME=unknown
ARG BASE_DIGEST=unknown
LABEL org.opencontainers.image.title="customfit-consumer" \
      org.opencontainers.image.description="Forwards Segment events from Kafka to CustomFit.ai, each user's identify before their tracks" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE_NAME}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
# A fixed numeric user, so that an orchestrator can check that it is not root and a volume keeps its owner.
RUN groupadd --gid 10001 customfit \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin customfit \
 && install -d -o 10001 -g 10001 -m 0750 /state
COPY --from=build /opt/customfit /opt/customfit
# The code was compiled when it was installed; nothing is written at run time except under /state.
ENV PATH=/opt/customfit/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CUSTOMFIT_STATE_DIR=/state
USER 10001:10001
WORKDIR /state
VOLUME ["/state"]
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["customfit-consumer", "health"]
ENTRYPOINT ["customfit-consumer"]
CMD ["run"]
