// Sends by node-hl7-client what stdin says, one after the other on one connection, and prints the acknowledgements
// as that library reads them: [{"code": "AA", "id": "HTEST-1", "facility": "MERCY"}, ...].
//
// {"port": 2575, "tls": {"ca": path, "cert": path, "key": path}, "kind": "message" | "batch" | "file",
//  "answers": 3, "messages": [text, ...]}

import { readFileSync } from "node:fs";
import Client, { Batch, FileBatch, Message } from "node-hl7-client";

const asked = JSON.parse(readFileSync(0, "utf8"));
const read = [];
let wake = () => {};

function outgoing() {
  const messages = asked.messages.map((text) => new Message({ text }));
  if (asked.kind === "message") return messages;
  const whole = asked.kind === "file" ? new FileBatch() : new Batch();
  whole.start();
  for (const message of messages) whole.add(message);
  whole.end();
  return [whole];
}

function options() {
  const plain = { host: "127.0.0.1", version: "2.5.1" };
  if (!asked.tls) return plain;
  const [ca, cert, key] = ["ca", "cert", "key"].map((name) => readFileSync(asked.tls[name]));
  return { ...plain, tls: { ca, cert, key, rejectUnauthorized: true } };
}

function take(message) {
  const [code, id, facility] = ["MSA.1", "MSA.2", "MSH.6"].map((path) => message.get(path).toString());
  read.push({ code, id, facility });
  wake();
}

function fail(error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

async function answered(count) {
  while (read.length < count) await new Promise((resolve) => { wake = resolve; });
}

const client = new Client(options());
const connection = client.createConnection({ port: asked.port, maxConnectionAttempts: 1 }, (answer) => {
  if (asked.kind !== "file") take(answer.getMessage());
});
connection.on("client.error", fail);
if (asked.kind === "file") {
  // Of what it receives the connection reads messages and batches only; files have a reader of their own.
  connection.on("data.raw", (text) => new FileBatch({ text }).messages().forEach((one) => take(new Message({ text: one.toString() }))));
} else {
  connection.on("data.error", fail);
}

for (const one of outgoing()) {
  const before = read.length;
  await connection.sendMessage(one);
  await answered(before + 1);
}
await answered(asked.answers);
process.stdout.write(JSON.stringify(read));
process.exit(0);
