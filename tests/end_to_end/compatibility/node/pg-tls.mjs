import pg from 'pg';
import { account, assert, check, host, ok, payload, port, trust } from './support.mjs';

const client = new pg.Client({ ...account, host, port, database: 'postgres', ssl: trust() });
await client.connect();
const { rows } = await client.query('SELECT $1::bytea AS data, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', [payload]);
assert.equal(rows[0].ssl, true);
check(rows[0].data);
await client.end();
ok();
