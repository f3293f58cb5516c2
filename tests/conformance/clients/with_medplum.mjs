// Every interaction that MedplumClient offers, in one run; prints what it saw as one JSON object.
import { MedplumClient } from '@medplum/core';

const { HUB, CLIENT_ID, CLIENT_SECRET } = process.env;
const NUMBERS = 'urn:oid:2.16.840.1.113883.3.9999.7';
const seen = {};
const fresh = () => `HTEST-${crypto.randomUUID()}`;
const entry = (method, url, more = {}) => ({ request: { method, url }, ...more });
const issue = async (refused) => {
  try {
    await refused;
  } catch (error) {
    return error.outcome.issue[0];
  }
};

const medplum = new MedplumClient({ baseUrl: HUB, tokenUrl: 'oauth/token', authCredentialsMethod: 'header' });
await medplum.startClientLogin(CLIENT_ID, CLIENT_SECRET);
seen.token = Boolean(medplum.getAccessToken());
// A token that has run out: it gets a new one by itself, and asks again.
medplum.setAccessToken('HTEST-run-out');
seen.metadata = (await medplum.get(medplum.fhirUrl('metadata'))).fhirVersion;

const task = await medplum.searchOne('Task', { status: 'requested', _sort: '_lastUpdated' });
const subject = { reference: task.for.reference };
const procedure = (value = fresh()) => ({
  resourceType: 'Procedure',
  status: 'completed',
  identifier: [{ system: NUMBERS, value }],
  code: { text: 'HTEST dosing' },
  subject,
});

const made = await medplum.createResource(procedure());
const { id } = made;
seen.create = made.meta.versionId;
seen.read = (await medplum.readResource('Procedure', id, { cache: 'reload' })).code.text;
seen.vread = (await medplum.readVersion('Procedure', id, '1')).meta.versionId;

const options = { headers: { 'If-Match': 'W/"1"' } };
const late = await medplum.updateResource({ ...made, note: [{ text: 'HTEST late' }] }, options);
seen.update = late.meta.versionId;
const stale = medplum.updateResource({ ...made, note: [{ text: 'HTEST too late' }] }, options);
seen['if-match'] = (await issue(stale)).code;
const change = [{ op: 'replace', path: '/status', value: 'not-done' }];
seen.patch = (await medplum.patchResource('Procedure', id, change)).status;

const ids = new Set();
for await (const page of medplum.searchResourcePages('Task', { _count: '5' })) {
  page.filter((one) => one.resourceType === 'Task').forEach((one) => ids.add(one.id));
}
seen.paging = ids.size;
const included = await medplum.search('Task', { _id: task.id, _include: 'Task:focus' });
seen.include = included.entry.map((one) => one.resource.resourceType).sort();

const batch = [entry('GET', `Task/${task.id}`), entry('POST', 'Procedure', { resource: procedure() })];
const each = await medplum.executeBatch({ resourceType: 'Bundle', type: 'batch', entry: batch });
seen.batch = each.entry.map((one) => one.response.status.slice(0, 3));

const fullUrl = `urn:uuid:${crypto.randomUUID()}`;
const observation = { resourceType: 'Observation', status: 'final', code: { text: 'HTEST' }, subject };
const both = [
  entry('POST', 'Procedure', { resource: procedure(), fullUrl }),
  entry('POST', 'Observation', { resource: { ...observation, partOf: [{ reference: fullUrl }] } }),
];
const whole = await medplum.executeBatch({ resourceType: 'Bundle', type: 'transaction', entry: both });
const [first, second] = whole.entry.map((one) => one.response.location.split('/').slice(-4, -2).join('/'));
seen.transaction = (await medplum.readReference({ reference: second })).partOf[0].reference === first;

const past = await medplum.readHistory('Procedure', id);
seen.history = past.entry.map((one) => one.resource.meta.versionId).slice(-2);

const number = fresh();
const query = `identifier=${NUMBERS}|${number}`;
const unless = () => medplum.createResourceIfNoneExist(procedure(number), query);
const created = [await unless(), await unless()];
seen['conditional-create'] = created[0].id === created[1].id;
const changed = await medplum.upsertResource({ ...procedure(number), note: [{ text: 'HTEST' }] }, query);
seen['conditional-update'] = changed.meta.versionId;

await medplum.deleteResource('Procedure', id);
seen.delete = (await issue(medplum.readResource('Procedure', id, { cache: 'reload' }))).code;
const nobody = { ...procedure(), subject: { reference: 'Patient/HTEST-nobody' } };
seen.error = (await issue(medplum.createResource(nobody))).expression;
console.log(JSON.stringify(seen));
