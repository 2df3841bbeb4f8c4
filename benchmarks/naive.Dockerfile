# What image.py measures the Dockerfile against: all in one stage, as in a first draft. The
# same packages and the same compilers, and everything stays in. Nobody should run this.
ARG CUDA_DEVEL_IMAGE=nvidia/cuda:13.0.2-devel-ubuntu22.04
FROM ${CUDA_DEVEL_IMAGE}
WORKDIR /app
COPY . .
RUN apt-get update
RUN DEBIAN_FRONTEND=noninteractive apt-get install -y \
    build-essential cmake python3 python3-dev python3-pip python3-venv
RUN python3 -m venv /venv && /venv/bin/pip install ".[piper,redis,tracing]"
RUN if [ -f native/CMakeLists.txt ]; then \
    cmake -S native -B /native && cmake --build /native && cmake --install /native; fi
ENV PATH=/venv/bin:$PATH AUTOVOICE_HOST=0.0.0.0
EXPOSE 5000
CMD ["autovoice", "serve"]
