'use strict';

// `net.Socket` of a program under the broker: the broker's, save where Node itself must have its own.

const lastStandardStream = 2;

// A pipe to a child, or what process.stdin, stdout and stderr are made of: no sockets of the network's.
function isOfNode(options) {
  const { handle, fd } = Object(options);
  return Boolean(handle) || (typeof fd === 'number' && fd <= lastStandardStream);
}

// Shares its prototype with Ours: its instances are of both, and so are those of Node's own for `instanceof`.
function socketClass(Native, Ours) {
  function Socket(options) {
    if (this instanceof Native && !(this instanceof Ours)) // a tls.TLSSocket or tty.ReadStream, which were derived from Node's
      return Reflect.apply(Native, this, [options]);
    if (isOfNode(options))
      return new Native(options);
    if (new.target)
      return Reflect.construct(Ours, [options], new.target === Socket ? Ours : new.target);
    return this instanceof Ours ? Reflect.apply(Ours, this, [options]) : new Ours(options);
  }
  Object.setPrototypeOf(Socket, Ours);
  Socket.prototype = Ours.prototype;
  Object.defineProperty(Socket, Symbol.hasInstance, {
    value(object) {
      const isInstance = Function.prototype[Symbol.hasInstance];
      return isInstance.call(this, object) || (this === Socket && object instanceof Native && object !== Ours.prototype);
    },
  });
  return Socket;
}

module.exports = { socketClass };
