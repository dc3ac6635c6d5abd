import { Agent, request, fetch, setGlobalDispatcher } from 'undici';
import { assert, check, ok, payload, port, trust } from './support.mjs';

const agent = new Agent({ connect: trust() });
setGlobalDispatcher(agent);
const url = `https://localhost:${port}/undici`;
const put = await request(url, { method: 'PUT', body: payload });
assert.ok([201, 204].includes(put.statusCode)); // new, or written over
await put.body.dump();
const got = await request(url);
check(new Uint8Array(await got.body.arrayBuffer()));
const fetched = await fetch(url);
check(new Uint8Array(await fetched.arrayBuffer()));
await agent.close();
ok();
