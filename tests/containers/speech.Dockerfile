# Stands in for the image of the speech server of docker-compose.yml where tests/containers.sh runs: its user, its folder,
# its port, and curl.

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends curl python3 >/dev/null \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 ubuntu
USER ubuntu
RUN mkdir -p /home/ubuntu/.cache/huggingface/hub
COPY speech.py /
EXPOSE 8000
CMD ["python3", "/speech.py"]
