// Every backend of fork-join that was found, each in its best form, by name: for programs that compare them.
// for_each_fork_backend<W>(visit): calls visit.template operator()<Backend>(name) for each that can run workload W.
// calls_alone<Backend>: with one thread it forks nothing, it calls, so that such a row says nothing about forking.
// The main thread only. std::async is none of them: a thread a branch is no form of fork-join that gets to the end.
#pragma once

#include "peers/lastly_inside.hpp"
#include "workloads/fork_tree.hpp"

#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb_inside.hpp"
#endif
#ifdef LASTLY_BENCH_OPENMP
#include "peers/openmp_inside.hpp"
#endif
#ifdef LASTLY_BENCH_TASKFLOW
#include "peers/optional_taskflow.hpp"
#endif
#ifdef LASTLY_BENCH_LIBFORK
#include "peers/optional_libfork.hpp"
#endif
#if defined(LASTLY_BENCH_TOOMANYCOOKS) && !defined(__clang__) && __GNUC__ < 14
#undef LASTLY_BENCH_TOOMANYCOOKS   // GCC 12 moves what its coroutines await, where moving is deleted
#endif
#ifdef LASTLY_BENCH_TOOMANYCOOKS
#include "peers/optional_toomanycooks.hpp"
#endif
#ifdef LASTLY_BENCH_CITOR
#include "peers/optional_citor.hpp"
#endif

namespace bench {

template <class B>
inline constexpr bool calls_alone = false;
#if defined(LASTLY_BENCH_OPENMP) && defined(__clang__)
template <>
inline constexpr bool calls_alone<openmp_fork> = true;
#endif
#ifdef LASTLY_BENCH_CITOR
template <>
inline constexpr bool calls_alone<citor_fork> = true;
template <>
inline constexpr bool calls_alone<citor_fork_all> = true;
#endif

template <fork_tree W, class Visit>
void for_each_fork_backend(const Visit& visit) {
    const auto offer = [&]<class B>(const char* name) {
        if constexpr (tree_backend<B, W>) visit.template operator()<B>(name);
    };
    offer.template operator()<lastly_inside>("lastly");
#ifdef LASTLY_BENCH_ONETBB
    if constexpr (W::is_full) {
        offer.template operator()<onetbb_fork<onetbb_invoke>>("onetbb_invoke");
        offer.template operator()<onetbb_fork<onetbb_invoke_shared>>("onetbb_invoke_shared");
    } else {
        offer.template operator()<onetbb_fork<onetbb_for_shared>>("onetbb_for_shared");
        offer.template operator()<onetbb_fork<onetbb_invoke_halves>>("onetbb_invoke_halves");
    }
    offer.template operator()<onetbb_fork<onetbb_group_fork>>("onetbb_group");
#endif
#ifdef LASTLY_BENCH_OPENMP
    offer.template operator()<openmp_fork>(openmp_name);
#endif
#ifdef LASTLY_BENCH_TASKFLOW
    offer.template operator()<taskflow_fork>("taskflow");
#endif
#ifdef LASTLY_BENCH_LIBFORK
    offer.template operator()<libfork_fork<lf::lazy_pool>>("libfork_lazy");
    offer.template operator()<libfork_fork<lf::busy_pool>>("libfork_busy");
#endif
#ifdef LASTLY_BENCH_TOOMANYCOOKS
    offer.template operator()<toomanycooks_fork>("toomanycooks");
#endif
#ifdef LASTLY_BENCH_CITOR
    if constexpr (W::is_full) offer.template operator()<citor_fork>("citor");
    if constexpr (W::arity > 2) offer.template operator()<citor_fork_all>(W::is_full ? "citor_all" : "citor");
#endif
}

}   // namespace bench
