# An image for the processor, without a GPU: docker build -t landslide . (docs/howto/docker.md)
FROM python:3.12-slim

# onnxruntime needs OpenMP; fonts let the map sheet show names in other scripts.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 libexpat1 fonts-noto-core \
    && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml README.md LICENSE /source/
COPY landslide_cli /source/landslide_cli
COPY weights /source/weights
RUN pip install --no-cache-dir /source && rm -rf /source

# Caches go below HOME. Any user can write there, so that `docker run --user` works.
RUN useradd --create-home mapper && chmod 1777 /home/mapper && install -d -o mapper /data
USER mapper
ENV HOME=/home/mapper
WORKDIR /data
ENTRYPOINT ["landslide"]
CMD ["--help"]
