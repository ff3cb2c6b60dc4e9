import cProfile,pstats,time,sys
import pytest
from tests.domains.scans.test_decision_statistics import *
@pytest.mark.databases("sqlite")
async def test_prof(database,tenant):
    scans=DirectScans(database,tenant.access)
    subject=await create_subject(scans,"null",gain=0.14)
    await outcome_of_run(scans,subject,"warm")
    p=cProfile.Profile(); t=time.time(); c=time.process_time()
    p.enable()
    for r in range(10): await outcome_of_run(scans,subject,f"r{r}")
    p.disable()
    print("per scan",(time.time()-t)/10, "cpu",(time.process_time()-c)/10)
    pstats.Stats(p).sort_stats("cumtime").print_stats(70)
