import pg from 'pg';
import { account, assert, check, host, ok, payload, port } from './support.mjs';

const pool = new pg.Pool({ ...account, host, port, database: 'postgres', max: 3 });
await pool.query('CREATE TABLE pg (id integer, data bytea)');
await pool.query('INSERT INTO pg VALUES ($1, $2)', [1, payload]);
const answers = await Promise.all([1, 2, 3].map(() => pool.query('SELECT data FROM pg')));
for (const { rows } of answers)
  check(rows[0].data);
await assert.rejects(pool.query('SELECT nonsense'), { code: '42703' });
await pool.query('DROP TABLE pg');
await pool.end();
ok();
