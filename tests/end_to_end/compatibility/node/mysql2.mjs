import mysql from 'mysql2/promise';
import { account, assert, check, host, ok, payload, port } from './support.mjs';

const pool = mysql.createPool({ ...account, host, port, database: 'test', connectionLimit: 3 });
await pool.query('CREATE TABLE mysql2 (id integer, data longblob)');
await pool.execute('INSERT INTO mysql2 VALUES (?, ?)', [1, payload]);
const answers = await Promise.all([1, 2, 3].map(() => pool.query('SELECT data FROM mysql2')));
for (const [rows] of answers)
  check(rows[0].data);
await assert.rejects(pool.query('SELECT nonsense'), { code: 'ER_BAD_FIELD_ERROR' });
await pool.query('DROP TABLE mysql2');
await pool.end();
ok();
