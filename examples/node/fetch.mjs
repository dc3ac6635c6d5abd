// Fetches a page with Node's own fetch, put over the broker by the import on the command line.
//
// usage: node --import @netbroker/net/register fetch.mjs URL     (NETBROKER_SOCKET names the broker)
const [url] = process.argv.slice(2);
if (url === undefined) {
  console.error('usage: node --import @netbroker/net/register fetch.mjs URL');
  process.exit(2);
}

try {
  const response = await fetch(url);
  console.error(response.status, response.statusText);
  for (const [name, value] of response.headers)
    console.error(`${name}: ${value}`);
  process.stdout.write(Buffer.from(await response.arrayBuffer()));
} catch (error) {
  console.error(`${url}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
