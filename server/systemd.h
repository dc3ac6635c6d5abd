/* Socket activation and readiness, as sd_listen_fds(3) and sd_notify(3) describe them. */
#ifndef NB_SYSTEMD_H
#define NB_SYSTEMD_H

/*
 * The control socket that a service manager passed: the first inherited
 * listening Unix stream socket, or the one named "control"; the caller owns it.
 * The others go to nb_inherited_add, by their names. -1: none was passed, or
 * only such others. UV_EINVAL: something was passed for it, but is no such
 * socket. Call it once.
 */
int nb_systemd_control_socket(void);

/* Tells the service manager, if there is one; "READY=1". */
void nb_systemd_notify(const char *state);

#endif
