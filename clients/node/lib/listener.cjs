'use strict';

// What listens for a Server, as its `_handle`: one server of the broker's.

const { AsyncResource } = require('node:async_hooks');
const { fromMap } = require('./errors.cjs');
const { makeConnection } = require('./planes.cjs');

class Listener extends AsyncResource {
  #holding = false;
  #open = true;

  constructor(session, owner) {
    super('NETBROKERSERVER');
    this.session = session;
    this.owner = owner; // the Server: its on... methods are called
    this.id = session.newId();
  }

  // In this tick; throws what the broker says.
  listen(created, wanted) {
    this.session.notify('server.create', this.id, created);
    this.session.add(this.id, this);
    try {
      this.address = this.session.requestSync('server.listen', this.id, wanted);
    } catch (error) {
      this.#open = false;
      this.session.remove(this.id);
      this.session.notify('server.release', this.id);
      throw error;
    }
    if (!this.address.path)
      this.getsockname = (out) => (Object.assign(out, this.address), 0);
    this.ref();
  }

  event(name, body) {
    this.runInAsyncScope(this.#event, this, name, body);
  }

  #event(name, body) {
    if (name === 'server.connection')
      this.#accept(body);
    else if (name === 'server.drop' && this.#open)
      this.owner.emit('drop', body);
    else if (name === 'server.error' && this.#open)
      this.owner.emit('error', fromMap(body));
    else if (name === 'server.close')
      this.#closed();
  }

  #accept({ socket, peer, ...endpoints }) {
    const kind = this.address.path ? 'pipe' : 'tcp';
    const connection = makeConnection(this.session, socket, kind);
    connection.accepted(endpoints, () => {
      if (this.#open)
        this.owner.onConnection(connection);
      else
        connection.close(() => {});
    });
  }

  #closed() {
    this.session.remove(this.id);
    this.session.notify('server.release', this.id);
    if (this.#open)
      this.owner.close();
  }

  lost(error) {
    if (this.#open) {
      this.owner.emit('error', error);
      this.owner.close();
    }
  }

  ref() {
    this.#hold(this.#open);
  }

  unref() {
    this.#hold(false);
  }

  #hold(holding) {
    if (holding !== this.#holding) {
      this.#holding = holding;
      this.session[holding ? 'hold' : 'letGo']();
    }
  }

  fchmod() {
    return 0; // the mode went along with listen
  }

  close() {
    if (!this.#open)
      return;
    this.#open = false;
    this.#hold(false);
    this.session.notify('server.close', this.id);
    this.session.settle(); // then nobody finds it any more
  }
}

module.exports = { Listener };
