// Lets in users who are logged in, from our own page.

import { currentUser, type User } from "./current-user.ts";
import { refusal } from "./refusal.ts";

/** The user of our page, or the answer that refuses the request. */
export async function visitor(request: Request): Promise<User | Response> {
  const own = originOf(process.env.APP_ORIGIN);
  if (!own) {
    console.error("APP_ORIGIN must be the address of the page, such as https://app.example.com");
    return refusal(500, "not_configured", "The server does not know its own address. Set APP_ORIGIN.");
  }
  // Browsers name the page in `Origin` on every POST, and no page can make them name another. So a page of another site
  // that sends our user's cookie along is told apart, whatever the cookie's SameSite says.
  const origin = request.headers.get("origin");
  if (origin !== own) return refusal(403, "wrong_origin", wrongOrigin(origin, own));
  return (await currentUser(request)) ?? refusal(401, "not_logged_in", notLoggedIn());
}

function originOf(address: string | undefined): string | null {
  try {
    const { protocol, origin } = new URL(address ?? "");
    // Of any other kind of address the origin is "null", which is also that of a page in a frame without rights.
    return protocol === "https:" || protocol === "http:" ? origin : null;
  } catch {
    return null;
  }
}

function wrongOrigin(origin: string | null, own: string): string {
  const came = origin ? `This page is at ${origin.slice(0, 200)}` : "The request names no page";
  return `${came}, and the application at ${own}. Open ${own}, or set APP_ORIGIN to the address of the page.`;
}

function notLoggedIn(): string {
  if (process.env.NODE_ENV !== "development") return "You are not logged in. Please log in and try again.";
  return "Nobody is logged in. Write currentUser in lib/current-user.ts; for a first try, start with VOXGATE_DEMO_USER=demo.";
}
