// Answers questions about addresses and block lists, one a line, with Node's own net. For ./run, which describes the lines.
'use strict';
const net = require('net');
const fs = require('fs');

Error.stackTraceLimit = 0; // most of the time would go there

let list = new net.BlockList();

const textOf = (word) => Buffer.from(word.slice(1), 'hex').toString();
const textIf = (word) => (word === '-' ? undefined : textOf(word));
const numberIf = (word) => (word === '-' ? undefined : Number(word));
const familyOf = (word) => `ipv${word}`;

function addressOf(family, text) {
  return new net.SocketAddress({ family: familyOf(family), address: textOf(text) });
}

function addRange(family, start, endFamily, end) {
  if (family === endFamily) list.addRange(textOf(start), textOf(end), familyOf(family));
  else list.addRange(addressOf(family, start), addressOf(endFamily, end));
}

const kinds = {
  ip: (text) => net.isIP(textOf(text)),
  socketaddress(family, address, port, flowlabel) {
    const made = new net.SocketAddress({
      family: textIf(family), address: textIf(address), port: numberIf(port), flowlabel: numberIf(flowlabel),
    });
    return `${made.family} ${made.address} ${made.port} ${made.flowlabel}`;
  },
  new() {
    list = new net.BlockList();
    return 'new';
  },
  address: (family, text) => list.addAddress(textOf(text), familyOf(family)) || 'ok',
  range: (...words) => addRange(...words) || 'ok',
  subnet: (family, text, prefix) => list.addSubnet(textOf(text), Number(prefix), familyOf(family)) || 'ok',
  check: (family, text) => list.check(textOf(text), familyOf(family)),
  rules: () => list.rules.map((rule) => `${rule}; `).join(''),
};

function answer(line) {
  const [kind, ...words] = line.split(' ');
  try {
    return kinds[kind](...words);
  } catch (error) {
    return error.code || error.stack;
  }
}

const lines = fs.readFileSync(0, 'latin1').split('\n').slice(0, -1);
fs.writeFileSync(1, lines.map((line) => `${answer(line)}\n`).join(''));
