// What goes wrong, in words that help.

const TITLES = {
  invalid_api_key: "The API key is missing or wrong.",
  voice_not_found: "This voice is not here.",
  lexicon_not_found: "This lexicon is not here.",
  empty_input: "There is nothing to say.",
  input_too_long: "The text is too long.",
  request_too_large: "The text is too long.",
  invalid_ssml: "The SSML cannot be read.",
  rate_limit_exceeded: "Too many requests for now.",
  overloaded: "The server is busy.",
  deadline_exceeded: "The server was too busy to finish.",
  draining: "The server is about to stop.",
  engine_unavailable: "The voice engine is not ready.",
  engine_crashed: "The voice engine broke down.",
  engine_timeout: "The voice engine took too long.",
  engine_failed: "The voice engine could not say this.",
};

export class Problem extends Error {
  constructor(code, message, {status = 0, retryAfterS = 0, retryable = false} = {}) {
    super(message);
    Object.assign(this, {code, status, retryAfterS, retryable});
  }

  get title() {
    return TITLES[this.code] || "That did not work.";
  }
}

export class Unreachable extends Problem {
  constructor() {
    super("unreachable", "Is it running, and is this machine online?", {retryable: true});
  }

  get title() {
    return "The server cannot be reached.";
  }
}

export class BrokenOff extends Problem {
  constructor() {
    super("broken_off", "What came until then can be heard.", {retryable: true});
  }

  get title() {
    return "The connection broke off.";
  }
}

/** What an answer other than 200 says; something between the server and here may have sent it. */
export async function problemOf(answer) {
  const retryable = answer.headers.get("x-should-retry") === "true";
  const retryAfterS = Number(answer.headers.get("Retry-After")) || 0;
  const about = {status: answer.status, retryAfterS, retryable};
  try {
    const {code, message} = (await answer.json()).error;
    return new Problem(code, message, about);
  } catch {
    return new Problem(`http_${answer.status}`, `The server answered ${answer.status}.`, about);
  }
}

/** What an event in the middle of an answer says. */
export const problemIn = ({code, message}) => new Problem(code, message, {retryable: true});
