// The routes of deploy/nextjs on Node's own HTTP server: they know no more of Next.js than `Request` and `Response`.
//
// Run by tests/api/nextjs.rs, which is the page. Ends when its standard input does.

import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import * as session from '../../../deploy/nextjs/app/api/voxgate/session/route.ts';
import * as transcribe from '../../../deploy/nextjs/app/api/voxgate/transcribe/route.ts';

const routes = { '/api/voxgate/session': session, '/api/voxgate/transcribe': transcribe };

const server = http.createServer(async (asked, answer) => {
  const { method, headers } = asked;
  const gone = new AbortController();
  answer.on('close', () => answer.writableFinished || gone.abort());
  const url = new URL(asked.url, `http://${headers.host}`);
  const body = Readable.toWeb(asked);
  const reply = await routes[url.pathname].POST(
    new Request(url, { method, headers, body, duplex: 'half', signal: gone.signal }),
  );
  answer.writeHead(reply.status, Object.fromEntries(reply.headers));
  answer.flushHeaders();
  // Whoever is gone gets nothing more.
  await pipeline(reply.body ? Readable.fromWeb(reply.body) : Readable.from([]), answer).catch(() => {});
});

server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
process.stdin.resume().on('end', () => process.exit());
