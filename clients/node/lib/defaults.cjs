'use strict';

// The defaults of autoSelectFamily are Node's own, so that its options on the command line hold, and what a program sets
// before it loads this package.

const net = require('node:net');

const fallback = { autoSelectFamily: false, timeout: 250 }; // of a Node that has no such defaults yet

function getDefaultAutoSelectFamily() {
  return getters.family ? getters.family() : fallback.autoSelectFamily;
}

function setDefaultAutoSelectFamily(value) {
  if (setters.family)
    setters.family(value);
  else
    fallback.autoSelectFamily = value;
}

function getDefaultAutoSelectFamilyAttemptTimeout() {
  return getters.timeout ? getters.timeout() : fallback.timeout;
}

function setDefaultAutoSelectFamilyAttemptTimeout(value) {
  if (setters.timeout)
    setters.timeout(value);
  else
    fallback.timeout = value;
}

const getters = { family: net.getDefaultAutoSelectFamily, timeout: net.getDefaultAutoSelectFamilyAttemptTimeout };
const setters = { family: net.setDefaultAutoSelectFamily, timeout: net.setDefaultAutoSelectFamilyAttemptTimeout };

module.exports = {
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
};
