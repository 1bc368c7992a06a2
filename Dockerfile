# Voxgate in a container: built with Rust, run in an image that has no shell, as a user that owns nothing.
#
#   docker build -t voxgate .
#   docker run --rm -p 127.0.0.1:8080:8080 -e OPENAI_API_KEY -e VOXGATE_JWT_SECRET \
#     -v voxgate-data:/var/lib/voxgate voxgate

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# The slim image has the C compiler and the headers that the TLS library is built with; nothing has to be installed.

# The dependencies are a layer of their own, made anew only when Cargo.toml or Cargo.lock change. The placeholder that
# they are built for is cleaned away, since Cargo goes by file times and could take it for the real thing.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches/gateway && touch src/lib.rs \
 && echo 'fn main() {}' | tee src/main.rs benches/gateway/main.rs benches/pieces.rs > benches/limits.rs \
 && cargo build --profile dist --locked \
 && cargo clean --profile dist --locked --package voxgate \
 && rm -r src

# The pages that the gateway serves, and the files that they link to.
COPY openapi.yaml *.md LICENSE deny.toml .env.example docker-compose.yml voxgate.example.toml ./
COPY .github ./.github
COPY client ./client
COPY deploy ./deploy
COPY docs ./docs
COPY src ./src
RUN cargo build --profile dist --locked --bin voxgate
# The last image has no shell to make a folder with.
RUN mkdir /voxgate-data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/dist/voxgate /usr/local/bin/voxgate
# Budgets, the ledger and settlements that wait. A new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /voxgate-data /var/lib/voxgate

# Inside a container only the other side of its network can connect, so listening on every address is right here; what
# is published of it is for `docker run -p` or docker-compose.yml to say.
ENV VOXGATE_BIND=0.0.0.0:8080 \
    VOXGATE_OPS_BIND=0.0.0.0:9090 \
    VOXGATE_DATA_DIR=/var/lib/voxgate
EXPOSE 8080 9090
VOLUME ["/var/lib/voxgate"]

# By number, so that an orchestrator that refuses root can see that it is none.
USER 65532:65532

HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["/usr/local/bin/voxgate", "health"]

ENTRYPOINT ["/usr/local/bin/voxgate"]
CMD ["serve"]
