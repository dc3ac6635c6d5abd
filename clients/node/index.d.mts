// The surface of node:net, to which this package adds nothing and of which it leaves out nothing.
export * from 'node:net';
export { default } from 'node:net';
