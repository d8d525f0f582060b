// Answers what the confinement hides of the machine as a machine without a network and with one account would. Loaded
// before the worker program, and in each thread that a script starts.

'use strict';

const { syncBuiltinESMExports } = require('node:module');
const os = require('node:os');

const { networkInterfaces } = os;
const { LOGNAME: username, HOME: homedir } = process.env;

/** Programs expect an object; the kernel does not list the interfaces to a script. */
os.networkInterfaces = () => {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
};

/** Files of accounts are closed. */
os.userInfo = (options) => {
  const text = (value) => (options?.encoding === 'buffer' ? Buffer.from(value) : value);
  return {
    uid: process.getuid(), gid: process.getgid(), username: text(username), homedir: text(homedir), shell: null,
  };
};

syncBuiltinESMExports();
