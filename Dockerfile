# The service in a small image: what serving needs, and not what training needs. Mount a data directory at /data, with
# a model in it, and a file of API keys at /run/secrets/mlrec-keys. Both must be readable, and /data writable, for the
# user that the container runs as: here, you. See docs/serving.md. The page needs no key; add --no-page to demand one.
#
#     docker build --tag mlrec .
#     docker run --user "$(id -u):$(id -g)" --read-only --tmpfs /tmp --publish 127.0.0.1:8000:8000 \
#         --volume "$PWD/data:/data" --volume "$PWD/keys.txt:/run/secrets/mlrec-keys:ro" mlrec

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY constraints.txt /tmp/
# pip cannot leave out single dependencies, so mlrec is installed without any, and these beside it.
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt \
        numpy threadpoolctl typer rich redis fastapi uvicorn uvloop httptools prometheus-client \
    && pip install --no-cache-dir --no-deps /wheels/*.whl \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin mlrec \
    && install --directory --owner mlrec --group mlrec --mode 700 /data
USER 10001
ENV MLREC_DATA_DIR=/data PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["mlrec", "serve", "--host", "0.0.0.0", "--api-key-file", "/run/secrets/mlrec-keys"]
CMD ["--workers", "2"]
