import type { NextConfig } from "next";

// What the page sends to the gateway itself goes to `/v1` of its own origin. In production the proxy in front sends that
// on; here, and wherever else there is none, this server does. Next reads this when it builds.
const gateway = process.env.VOXGATE_URL ?? "http://127.0.0.1:8080";

const config: NextConfig = {
  poweredByHeader: false,
  // What is compressed here comes when it is whole, and so does the stream that the rewrite below passes on. The proxy in
  // front can compress, and knows to leave streams alone.
  compress: false,
  rewrites: async () => [
    { source: "/v1/audio/transcriptions", destination: `${gateway}/v1/audio/transcriptions` },
  ],
};

export default config;
