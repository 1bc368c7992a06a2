// POST: a token for the page, with which it sends recordings to the gateway itself.

import { openSession } from "../../../../lib/gateway.ts";
import { UNKEPT } from "../../../../lib/refusal.ts";
import { passed } from "../../../../lib/passed.ts";
import { visitor } from "../../../../lib/visitor.ts";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

export async function POST(request: Request): Promise<Response> {
  const user = await visitor(request);
  if (user instanceof Response) return user;
  const session = await openSession(user, request.signal);
  if (session instanceof Response) return passed(session);
  return Response.json(session, { headers: UNKEPT });
}
