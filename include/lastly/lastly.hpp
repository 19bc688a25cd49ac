// Everything that lastly offers. Each header also stands alone.
#pragma once

#include <lastly/context.hpp>
#include <lastly/error.hpp>
#include <lastly/finalizer.hpp>
#include <lastly/ledger.hpp>
#include <lastly/options.hpp>
#include <lastly/outcome.hpp>
#include <lastly/parallel.hpp>
#include <lastly/pool.hpp>
#include <lastly/profile.hpp>
#include <lastly/signal_guard.hpp>
#include <lastly/task.hpp>
#include <lastly/task_group.hpp>
