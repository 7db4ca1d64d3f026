/* weft/weft.h - everything of weft's public interface. */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H
#include "weft/guard.h"
#include "weft/lab.h"
#include "weft/status.h"
#include "weft/study.h"
#endif
