/*
 * cli_machine.h - the kernels in use, and a warning if the environment slows them down.
 *
 * Tests: tests/test_tools.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_MACHINE_H
#define LNCLIP_TOOLS_CLI_CLI_MACHINE_H

#include "tools/cli/cli.h"

/*
 * Prints the kernels, the BLAS library and its core type as a note. Warns if OPENBLAS_CORETYPE
 * forces OpenBLAS to use an older instruction set than the processor has.
 */
void cli_print_machine(const CliArguments *arguments);

/*
 * The value of OPENBLAS_CORETYPE if it forces OpenBLAS to use an older instruction set than the
 * processor has, else NULL.
 */
const char *cli_machine_forced_core(void);

#endif
