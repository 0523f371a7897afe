/*
 * peak.h - how fast this processor could compute at best: loops of multiply-adds that touch
 * registers alone.
 *
 * A product is judged by its share of these rates. The instruction is the widest that the kernels
 * in force may use for a precision (LNCLIP_CPU masks it too), so a share close to 1 means that
 * nothing is left to gain at this ISA level, and a low peak that the processor lacks a higher one.
 */
#ifndef LNCLIP_TENSOR_KERNELS_PEAK_H
#define LNCLIP_TENSOR_KERNELS_PEAK_H

#include "tensor/precision.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Runs `rounds` (>= 1) of a loop on the calling thread and returns the arithmetic operations done,
 * a multiply-add counted as two; the caller takes the time. A round takes about a hundred cycles.
 * bf16 and int8 without an instruction of their own run the loop of f32. Thread-safe.
 */
double kernels_peak(Precision precision, int rounds);

/*
 * The instruction that kernels_peak repeats: "vfmadd zmm", "vdpbf16ps", "tdpbusd" ... Static
 * string. Thread-safe.
 */
const char *kernels_peak_instruction(Precision precision);

/*
 * Reads `bytes` (a multiple of 64) at `data`, 8-byte aligned, once and in order, and returns a
 * value made of all of them: the bandwidth of memory is the bytes over the time. Thread-safe.
 */
uint64_t kernels_read(const void *data, size_t bytes);

#endif
