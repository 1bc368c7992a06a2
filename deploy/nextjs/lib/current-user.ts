// Who is logged in? The one thing in here that only you can answer.

export interface User {
  /** What your application knows them by, and what never changes. Limits and usage at the gateway go by it. */
  id: string;
}

/**
 * FILL THIS IN. Until you do, nobody is logged in, and both routes answer 401.
 *
 * Read the cookie of your log-in, check it (its signature, or by asking your sessions), and return who it is of:
 *
 *     const cookie = request.headers.get("cookie");
 *     const session = await sessions.find(cookie);   // your own
 *     return session ? { id: session.userId } : null;
 *
 * With a library it is often one line: `const session = await auth();`. Never take the user from the body, the query or a
 * header that the page can write. The cookie should be HttpOnly, Secure, and SameSite=Lax or Strict.
 */
export async function currentUser(request: Request): Promise<User | null> {
  return demoUser();
}

/** For a first try by `next dev`. A build has no such user, whatever is set. */
function demoUser(): User | null {
  if (process.env.NODE_ENV !== "development") return null;
  const id = process.env.VOXGATE_DEMO_USER;
  return id ? { id } : null;
}
