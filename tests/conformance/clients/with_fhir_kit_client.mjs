// Every interaction that fhir-kit-client offers, in one run; prints what it saw as one JSON object.
import { Client } from 'fhir-kit-client';

const { HUB, CLIENT_ID, CLIENT_SECRET } = process.env;
const NUMBERS = 'urn:oid:2.16.840.1.113883.3.9999.7';
const seen = {};
const fresh = () => `HTEST-${crypto.randomUUID()}`;
const entry = (method, url, more = {}) => ({ request: { method, url }, ...more });
const outcome = async (refused) => {
  try {
    await refused;
  } catch (error) {
    return error.response.data.issue[0];
  }
};

const client = new Client({ baseUrl: `${HUB}/fhir/R4` });
const { tokenUrl } = await client.smartAuthMetadata();
const answer = await fetch(tokenUrl, {
  method: 'POST',
  headers: { authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` },
  body: new URLSearchParams({ grant_type: 'client_credentials' }),
});
client.bearerToken = (await answer.json()).access_token;
seen.metadata = (await client.capabilityStatement()).fhirVersion;

const waiting = await client.search({
  resourceType: 'Task',
  searchParams: { status: 'requested', _sort: '_lastUpdated', _count: 1 },
});
const task = waiting.entry[0].resource;
const subject = task.for;
const resourceType = 'Procedure';
const procedure = (value = fresh()) => ({
  resourceType,
  status: 'completed',
  identifier: [{ system: NUMBERS, value }],
  code: { text: 'HTEST dosing' },
  subject: { reference: subject.reference },
});

const made = await client.create({ resourceType, body: procedure() });
const { id } = made;
seen.create = made.meta.versionId;
seen.read = (await client.read({ resourceType, id })).code.text;
seen.vread = (await client.vread({ resourceType, id, version: '1' })).meta.versionId;

const options = { headers: { 'If-Match': 'W/"1"' } };
const late = await client.update({ resourceType, id, body: { ...made, note: [{ text: 'HTEST late' }] }, options });
seen.update = late.meta.versionId;
const stale = client.update({ resourceType, id, body: { ...made, note: [{ text: 'HTEST too late' }] }, options });
seen['if-match'] = (await outcome(stale)).code;
const jsonPatch = [{ op: 'replace', path: '/status', value: 'not-done' }];
seen.patch = (await client.patch({ resourceType, id, jsonPatch })).status;

const ids = new Set();
let page = await client.search({ resourceType: 'Task', searchParams: { _count: 5 } });
while (page) {
  page.entry.filter((one) => one.search.mode === 'match').forEach((one) => ids.add(one.resource.id));
  page = await client.nextPage({ bundle: page });
}
seen.paging = ids.size;
const searchParams = { _id: task.id, _include: 'Task:focus' };
const included = await client.search({ resourceType: 'Task', searchParams, options: { postSearch: true } });
seen.include = included.entry.map((one) => one.resource.resourceType).sort();

const batch = [entry('GET', `Task/${task.id}`), entry('POST', 'Procedure', { resource: procedure() })];
const each = await client.batch({ body: { resourceType: 'Bundle', type: 'batch', entry: batch } });
seen.batch = each.entry.map((one) => one.response.status.slice(0, 3));

const fullUrl = `urn:uuid:${crypto.randomUUID()}`;
const observation = { resourceType: 'Observation', status: 'final', code: { text: 'HTEST' }, subject };
const both = [
  entry('POST', 'Procedure', { resource: procedure(), fullUrl }),
  entry('POST', 'Observation', { resource: { ...observation, partOf: [{ reference: fullUrl }] } }),
];
const whole = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry: both } });
const [first, second] = whole.entry.map((one) => one.response.location.split('/').slice(-4, -2).join('/'));
seen.transaction = (await client.resolve({ reference: second })).partOf[0].reference === first;

const past = await client.history({ resourceType, id });
seen.history = past.entry.map((one) => one.resource.meta.versionId).slice(-2);

const number = fresh();
const unless = { headers: { 'If-None-Exist': `identifier=${NUMBERS}|${number}` } };
const created = [];
for (let time = 0; time < 2; time += 1) {
  created.push(await client.create({ resourceType, body: procedure(number), options: unless }));
}
seen['conditional-create'] = created[0].id === created[1].id;
const body = { ...procedure(number), note: [{ text: 'HTEST' }] };
const changed = await client.update({ resourceType, searchParams: { identifier: `${NUMBERS}|${number}` }, body });
seen['conditional-update'] = changed.meta.versionId;

await client.delete({ resourceType, id });
seen.delete = (await outcome(client.read({ resourceType, id }))).code;
const nobody = { ...procedure(), subject: { reference: 'Patient/HTEST-nobody' } };
seen.error = (await outcome(client.create({ resourceType, body: nobody }))).expression;
console.log(JSON.stringify(seen));
