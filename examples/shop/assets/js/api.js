// The shop's own API. Answers with the JSON; throws a Declined with a sentence for the customer and the HTTP status.
import { broken } from "./broken.js";

export class Declined extends Error {
  constructor(status, problem) {
    super(problem.detail ?? "That did not work. Please try again.");
    this.status = status;
    this.field = problem.field;
    this.step = problem.step;
  }
}

export async function ask(path, body) {
  const headers = {};
  const names = broken();
  if (names.length) headers["X-Demo-Break"] = names.join(",");
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new Declined(0, { detail: "The shop cannot be reached. Check your connection and try again." });
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Declined(answer.status, said);
  return said;
}

export const basket = () => ask("/api/cart");
