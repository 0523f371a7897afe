/*
 * peak.h - the peak arithmetic rate of this processor: loops of multiply-adds on registers only.
 *
 * A product is judged by its fraction of peak. The instruction is the widest that the chosen
 * kernels may use for a precision (LNCLIP_CPU limits it too). A fraction close to 1 means that
 * nothing is left to gain at this ISA level; a low peak means that the processor lacks a higher
 * level.
 *
 * Tests: tests/test_bench.sh.
 */
#ifndef LNCLIP_TENSOR_KERNELS_PEAK_H
#define LNCLIP_TENSOR_KERNELS_PEAK_H

#include "tensor/precision.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Runs `rounds` (>= 1) of a loop on the calling thread and returns the number of arithmetic
 * operations, counting a multiply-add as two; the caller measures the time. A round takes about a
 * hundred cycles. bf16 and int8 run the loop of f32 where they have no instruction of their own.
 * Thread-safe.
 */
double kernels_peak(Precision precision, int rounds);

/*
 * The instruction that kernels_peak repeats: "vfmadd zmm", "vdpbf16ps", "tdpbusd" ... Static
 * string. Thread-safe.
 */
const char *kernels_peak_instruction(Precision precision);

/*
 * Reads `bytes` (a multiple of 64) at `data`, 8-byte aligned, once and in order, and returns their
 * XOR. Memory bandwidth is `bytes` over the time this takes. Thread-safe.
 */
uint64_t kernels_read(const void *data, size_t bytes);

#endif
