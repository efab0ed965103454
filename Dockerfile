# What pipelines run in: `runtime`, or `ray` with what embeddings need besides. `development` is for work on dreg itself.
#   docker build --target runtime -t dreg .
ARG BASE=python:3.12-slim-bookworm@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254

FROM ${BASE} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1
WORKDIR /src
COPY constraints.txt ./
RUN python -m pip install --no-cache-dir --constraint constraints.txt uv && uv venv /opt/dreg
COPY pyproject.toml README.md LICENSE ./
COPY dreg dreg
RUN uv pip install --python /opt/dreg/bin/python --constraint constraints.txt '.[registry]'

FROM build AS build-ray
RUN uv pip install --python /opt/dreg/bin/python --constraint constraints.txt \
    --torch-backend cpu '.[registry,ray-cluster,embeddings,vectors]'

FROM ${BASE} AS machine
# The base is pinned by digest; what git needs is to be the newest that its Debian has.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home dreg \
    # A login shell, as KubeRay takes one, begins with a PATH of its own.
    && echo "PATH=/opt/dreg/bin:\$PATH" > /etc/profile.d/dreg.sh
ENV PATH=/opt/dreg/bin:$PATH DVC_NO_ANALYTICS=1
USER 1000:1000
WORKDIR /home/dreg
HEALTHCHECK NONE
CMD ["dreg", "--help"]

FROM machine AS development
USER 0:0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes make \
    && rm -rf /var/lib/apt/lists/*
USER 1000:1000

FROM machine AS ray
USER 0:0
# KubeRay asks with wget how Ray is.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes wget \
    && rm -rf /var/lib/apt/lists/*
USER 1000:1000
COPY --from=build-ray /opt/dreg /opt/dreg

FROM machine AS runtime
COPY --from=build /opt/dreg /opt/dreg
