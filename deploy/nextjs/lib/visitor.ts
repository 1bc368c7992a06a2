// Who may use the routes: somebody who is logged in, from our own page.

import { currentUser, type User } from "./current-user.ts";
import { refusal } from "./refusal.ts";

/** The user of our page, or the answer that somebody else gets. */
export async function visitor(request: Request): Promise<User | Response> {
  const own = process.env.APP_ORIGIN;
  if (!own) {
    console.error("APP_ORIGIN is not set: it says where the page is, such as https://app.example.com");
    return refusal(500, "not_configured", "The server does not know where its page is.");
  }
  // Browsers name the page in `Origin` on every POST, and no page can make them name another. So a page of somebody else
  // that sends our user's cookie along is told apart, whatever the cookie's SameSite says.
  if (request.headers.get("origin") !== new URL(own).origin) {
    return refusal(403, "wrong_origin", "Only the page of this application may ask for this.");
  }
  const user = await currentUser(request);
  return user ?? refusal(401, "not_logged_in", "Please log in.");
}
