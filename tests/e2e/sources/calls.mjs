// A user's program: the providers' own clients for Node. It knows nothing of a proxy, and asks about argv[2].
// Prints one line of JSON per call; an error is the last.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const messages = [{ role: "user", content: process.argv[2] }];
const openai = new OpenAI({ timeout: 60_000 });
const anthropic = new Anthropic({ timeout: 60_000 });
const gpt = { model: "gpt-4o-mini-2024-07-18", messages };
const claude = { model: "claude-opus-5-5", max_tokens: 64, messages };
const input = { model: gpt.model, input: process.argv[2] };

async function pieces(stream, of) {
  const found = [];
  for await (const each of stream) found.push(of(each));
  return found;
}

const calls = {
  chat: async () => (await openai.chat.completions.create(gpt)).choices[0].message.content,
  "chat stream": async () =>
    pieces(await openai.chat.completions.create({ ...gpt, stream: true }), (e) => e.choices[0]?.delta.content),
  responses: async () => (await openai.responses.create(input)).output_text,
  "responses stream": async () => pieces(await openai.responses.create({ ...input, stream: true }), (e) => e.type),
  messages: async () => (await anthropic.messages.create(claude)).content[0].text,
  "messages stream": async () => (await anthropic.messages.stream(claude).finalMessage()).content[0].text,
};

for (const [name, call] of Object.entries(calls)) {
  try {
    console.log(JSON.stringify([name, await call()]));
  } catch (error) {
    console.log(JSON.stringify([name, error.status, error.message]));
    process.exitCode = 3;
  }
}
