# Two images from one file:
#   docker build --tag autovoice .                          speaks on the processor
#   docker build --tag autovoice:cuda --target cuda .       and on NVIDIA's GPUs
# `make image` also fills in the labels. docs/deployment-guide.md says the rest.

# The CUDA images are Ubuntu 22.04's: what is built there runs on the C library of the image
# it goes into, which is newer. The other way round it would not.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG CUDA_DEVEL_IMAGE=nvidia/cuda:13.0.2-devel-ubuntu22.04
ARG CUDA_BASE_IMAGE=nvidia/cuda:13.0.2-base-ubuntu22.04

FROM ${CUDA_BASE_IMAGE} AS cuda-base

# ---- the packages that are needed, and then AutoVoice itself ----------------------------------

FROM ${PYTHON_IMAGE} AS builder
WORKDIR /build
COPY requirements-build.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --require-hashes --requirement requirements-build.lock

FROM builder AS dependencies
# Bytecode that holds whatever happens to the files' times on their way through registries.
ENV PYC_INVALIDATION_MODE=UNCHECKED_HASH UV_LINK_MODE=copy UV_PYTHON=/opt/autovoice/bin/python
COPY requirements.lock ./
# What only compilers and the packages' own tests read stays here, and so does what onnxruntime
# has for other languages (its library, twice as it were) and for making models smaller.
RUN --mount=type=cache,target=/root/.cache/uv \
    python -m venv --without-pip /opt/autovoice \
    && uv pip install --quiet --compile-bytecode --require-hashes --requirement requirements.lock \
    && find /opt/autovoice/lib \( -type d -name tests -o -type d -name include \
        -o -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.[ach]' \
        -o -name 'libonnxruntime.so*' -o -path '*/onnxruntime/transformers' \
        -o -path '*/onnxruntime/quantization' -o -path '*/onnxruntime/tools' \) \
        -prune -exec rm -rf {} +

FROM dependencies AS wheel
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY config/logging_config.yaml config/
COPY scripts/sbom.py scripts/
COPY src src
RUN hatchling build --target wheel --directory dist \
    && uv pip install --quiet --offline --no-deps --compile-bytecode --prefix /out dist/*.whl \
    && mkdir -p /out/share \
    && PYTHONPATH=/out/lib/python3.12/site-packages /opt/autovoice/bin/python scripts/sbom.py \
        >/out/share/sbom.cdx.json

# ---- compiled code --------------------------------------------------------------------------

# CMake's folder as its package has it: it runs on its own.
FROM ${CUDA_DEVEL_IMAGE} AS native
COPY --from=builder /usr/local/lib/python3.12/site-packages/cmake/data /usr/local
# The licence is what there always is to copy: a checkout may be without native/.
COPY LICENSE native* /build/native/
WORKDIR /build
RUN mkdir -p /out/lib \
    && if [ -f native/CMakeLists.txt ]; then \
        cmake -S native -B made -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/out \
            -DCMAKE_INSTALL_LIBDIR=lib -DAUTOVOICE_CUDA=ON \
        && cmake --build made --parallel \
        && cmake --install made --strip; \
    fi

# ---- what runs ------------------------------------------------------------------------------

FROM ${PYTHON_IMAGE} AS runtime
# Whoever it runs as, also a user without a name (--user), may write to these folders;
# volumes that are mounted there take their mode over.
RUN useradd --uid 10001 --user-group --no-log-init --no-create-home \
        --home-dir /var/lib/autovoice --shell /usr/sbin/nologin autovoice \
    && install --directory --mode 1777 /var/lib/autovoice /var/lib/autovoice/voices \
        /var/cache/autovoice
COPY --from=dependencies /opt/autovoice /opt/autovoice
COPY --from=wheel /out /opt/autovoice
# In memory, the little that is temporary is there on a read-only root (--read-only), too.
ENV PATH=/opt/autovoice/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/dev/shm \
    AUTOVOICE_HOST=0.0.0.0 \
    AUTOVOICE_LEXICON_DIR=/var/lib/autovoice/lexicons \
    AUTOVOICE_VOICE_DIR=/var/lib/autovoice/voices
WORKDIR /var/lib/autovoice
USER 10001:10001
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["autovoice", "doctor", "--ready"]
ENTRYPOINT ["autovoice"]
CMD ["serve"]
# Last, since they change with every build.
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ENV AUTOVOICE_REVISION=${REVISION}
LABEL org.opencontainers.image.title="AutoVoice" \
    org.opencontainers.image.description="A voice-synthesis server: text in, speech out" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.source="https://github.com/autovoice/autovoice" \
    org.opencontainers.image.documentation="https://github.com/autovoice/autovoice/tree/main/docs" \
    org.autovoice.sbom="/opt/autovoice/share/sbom.cdx.json"

FROM runtime AS cuda
COPY --from=cuda-base /usr/local/cuda-13.* /usr/local/cuda
# Where auto_voice.kernels looks for it.
COPY --from=native /out/lib /opt/autovoice/lib/python3.12/site-packages/auto_voice/kernels/lib
ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# The last one is what is built where none is named.
FROM runtime AS cpu
