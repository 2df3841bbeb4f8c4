// Code that asks for exactly what is on screen.

const shell = text => `'${text.replaceAll("'", "'\\''")}'`;

/** A JSON value in Python's words; for texts, JSON's own form is Python's, too. */
function python(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  return JSON.stringify(value);
}

/** `request`: `url` of the API's root, `body` of the request for speech, `needsKey`. */
export function curl({url, body, needsKey}) {
  return [
    `curl ${shell(`${url}v1/audio/speech`)}`,
    "-H 'Content-Type: application/json'",
    ...(needsKey ? ['-H "Authorization: Bearer $AUTOVOICE_API_KEY"'] : []),
    `-d ${shell(JSON.stringify(body))}`,
    `--fail-with-body -o speech.${body.response_format}`,
  ].join(" \\\n  ");
}

const OPENAIS = ["input", "voice", "response_format", "speed"];

export function openai({url, body, needsKey}) {
  const own = Object.entries(body).filter(([name]) => OPENAIS.includes(name));
  const others = Object.entries(body).filter(([name]) => !OPENAIS.includes(name));
  const extra = others.map(([name, value]) => `${JSON.stringify(name)}: ${python(value)}`).join(", ");
  return [
    "# pip install openai",
    ...(needsKey ? ["import os", ""] : []),
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${python(`${url}v1`)}, api_key=${needsKey ? 'os.environ["AUTOVOICE_API_KEY"]' : '"unused"'})`,
    "with client.audio.speech.with_streaming_response.create(",
    '    model="tts-1",',
    ...own.map(([name, value]) => `    ${name}=${python(value)},`),
    ...(extra ? [`    extra_body={${extra}},`] : []),
    ") as speech:",
    `    speech.stream_to_file("speech.${body.response_format}")`,
  ].join("\n");
}
